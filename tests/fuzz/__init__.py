"""Whatever strangers send, a value comes out or one of our own errors: never anything else, and always in bounded time.

How the folder works:

- ``targets.py`` names every place where bytes of strangers are read. A target takes bytes, and raises if the rule
  is broken; so what broke it once is one small file.
- ``corpus/<target>/*.bin`` are such files: all of our own making, each replayed first, by ``test_corpus.py``.
- ``test_mutations.py`` makes new ones: valid documents, changed in structure, in writing and in bytes.
- ``test_bounds.py`` hands every target large inputs of the kinds that make careless readers slow.

The plain run is the same every time and takes seconds. ``PRENOPAY_FUZZ=50`` searches for fifty times the time, with new
seeds each time. What it finds is printed as the bytes to put into the corpus. ``PRENOPAY_SAMPLES`` may name a folder
of documented samples: they are further documents to start from, read at run time and never kept.
"""
