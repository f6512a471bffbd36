"""A plugin with six kinds of samples of its own, and images of four channels; test_third_kinds.py installs a copy."""
