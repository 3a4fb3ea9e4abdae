"""Where the data come from: the catalogue of addresses and digests, and fetching with resume and check.

Reading the catalogue needs neither requests nor numpy, so that it costs little where a workflow is parsed;
fetching lives in `proformer.sources.fetch`.
"""

from proformer.sources.catalogue import Source, load_catalogue, lookup

__all__ = ["Source", "load_catalogue", "lookup"]
