"""What draws, by the objective that it was trained for, in words."""

KINDS = {
    "diffusion": "conditional diffusion model",
    "residual": "conditional diffusion model about a mean",
    "one_step": "one-step ensemble",
    "consistency": "consistency model distilled from a diffusion",
    "regression": "regression",
}
