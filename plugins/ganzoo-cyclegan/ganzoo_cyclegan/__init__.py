"""Translation from one domain of images to another: CycleGAN without pairs, pix2pix with them."""
