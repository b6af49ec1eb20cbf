"""The four jobs on documents: relations, answers, classifications and descriptions, by tasks that the bundle can do."""
