"""The product on this machine: the same stack that goes to AWS, deployed to an emulator of AWS, and filled.

| module | does |
|---|---|
| ``place`` | where everything lies: one folder, its ports, its files |
| ``server`` | the emulator's process |
| ``emulator`` | starts that process, asks it, stops it |
| ``deploy`` | the stack, deployed when its inputs have changed |
| ``bootstrap`` | the first programme and clients, which nobody could create through the API |
| ``api`` | HTTP calls with the retries that a till makes |
| ``examples`` | the purchases of examples/, and posting them by several tills at once |
| ``books`` | what the table says afterwards: every chain recomputed, everything counted |
| ``__main__`` | ``up`` and ``down`` |
"""
