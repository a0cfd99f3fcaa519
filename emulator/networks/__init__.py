"""Networks: functions of (z, gamma, condition, context, params), without any diffusion inside."""
