"""All that makes training fast and repeatable, and nothing that makes it a GAN."""
