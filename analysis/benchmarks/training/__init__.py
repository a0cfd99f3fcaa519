"""What training costs: the network against a peer, and the shares of a step."""
