"""WGAN and WGAN-GP: a critic that estimates a distance."""
