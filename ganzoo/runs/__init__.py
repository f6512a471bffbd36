"""What a run leaves: its directory, facts, checkpoints, scores, and the samples that its weights make."""
