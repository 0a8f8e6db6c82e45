"""The emulated SageMaker. Start with the operation table in ``service.py``; it names the function of each operation.

``training_jobs``, ``transform_jobs``, ``processing_jobs``, ``models``, ``hosting`` and ``tags`` contain the operations.
``runtime`` answers InvokeEndpoint.
"""
