"""The engine's data sets, one file a family. A recipe names them; `obtain` finds, falls back and loads."""
