"""The MLP GAN: ganzoo's reference plugin."""
