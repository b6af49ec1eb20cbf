"""Articles as XML, by the library lxml, which is an extra: PubMed's citations, and JATS, the form of PubMed Central."""
