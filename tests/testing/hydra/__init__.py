"""A plugin of networks with several outputs: heads, scales, a mask beside the image. test_heads.py installs it."""
