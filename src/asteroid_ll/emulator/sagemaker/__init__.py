"""The emulated SageMaker. Start with the tables of kinds and operations in ``service.py``.

``kinds`` is the machine that creates, describes, lists, stops and deletes. ``training``, ``transform``, ``processing``,
``tuning``, ``models`` and ``hosting`` have the checks and the descriptions of their kinds. ``runtime`` answers
InvokeEndpoint.
"""
