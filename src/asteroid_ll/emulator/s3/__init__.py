"""The emulated S3: a table of operations over a store of buckets and objects.

`service.py` receives a request, and `call.py` checks it and finds its operation. An operation is a function with the
decorator ``@operation``, in the module for its subject:

* `buckets.py`: buckets, their settings, tags and policies, and listings of their objects.
* `objects.py`: put, get, head, copy, delete; an object's headers, conditions, attributes and tags.
* `multipart.py`: multipart uploads, and their listings.

Operations read a body with `payload.py`, and answer with `xml.py`. `store.py` keeps buckets and objects as rows, and
bodies as files.
"""
