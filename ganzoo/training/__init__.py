"""Playing a recipe: from its data and networks to a finished run."""
