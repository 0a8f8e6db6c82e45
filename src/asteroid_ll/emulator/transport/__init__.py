"""The ways into the emulator, in process or over HTTP, and the messages that both pass on."""
