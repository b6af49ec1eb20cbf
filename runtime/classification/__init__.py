"""Classification: labels of whole texts and of their tokens, from a bundle's classification head."""
