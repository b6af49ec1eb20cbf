"""Drawing of results for people: what is drawn, and how a terminal and a notebook show it."""
