"""Service Quotas: the limits of SageMaker's instances, and requests to raise them."""
