"""Training: a Lightning module that wires networks and diffusion, exact resume, the bundle."""
