"""Ways of playing the same rounds: each makes the same run within rounding, in another time."""
