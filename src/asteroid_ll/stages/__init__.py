"""The pipeline's stages, a file each; none knows another, click or boto3."""
