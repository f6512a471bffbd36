"""DCGAN: convolutional networks that train stably."""
