"""Tasks on any number of documents: batches of like length, and a result or an error for each document in order."""
