"""The pipeline's stages, one file each. A stage imports no other stage."""
