"""The emulated S3. `service.py` receives a request, and `operations.py` finds the function that answers it.

An operation is a function with the decorator ``@operation``, in the module for its subject:

* `buckets.py`: buckets and their settings; `listing.py`: the objects of a bucket.
* `objects.py`: put, get, head, copy, delete; `tags.py`: an object's tags.
* `multipart.py`: multipart uploads; `multipart_listing.py`: uploads under way and their parts.

Operations read the request with `call.py`, `payload.py` (the body), `conditions.py` and `object_headers.py`, and answer
with `xml.py` and `errors.py`. `store.py` keeps buckets and objects as rows, and `body_files.py` keeps their bytes.
"""
