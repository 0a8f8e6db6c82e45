"""How a request reaches the emulator: in process, or over HTTP."""
