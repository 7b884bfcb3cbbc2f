"""`nodewright demo`: a real model server with a bad setting, the advice, the setting applied, the gain measured."""
