"""Commands and the server, disturbed at random moments: nothing is lost, nothing is left over.

Signals, full disks, small memory and read-only folders end the commands; afterwards every output is whole or absent, a
resumed run equals an undisturbed one to the last byte, no temporary files pile up, and the next start works.
"""
