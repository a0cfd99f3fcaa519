"""What training costs and which choices pay: network, shares of a step, ablation."""
