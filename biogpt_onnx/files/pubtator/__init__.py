"""PubTator, the format in which the corpora of biomedical relations are annotated: reading and writing."""
