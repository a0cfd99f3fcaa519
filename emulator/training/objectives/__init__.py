"""Objectives: what a network is trained to do; one file each.

===============  ===================================================================
objective        one step of training
===============  ===================================================================
``diffusion``    a denoising step of each window, at one noise level
``residual``     mean and spread in one pass, and a denoising step of what they leave
``one_step``     a few members of each window in one pass, scored as an ensemble
``consistency``  two levels of a teacher's path, compared in where the path ends
``regression``   the mean of each window in one pass; a baseline that draws nothing
===============  ===================================================================
"""
