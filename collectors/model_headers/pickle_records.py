"""What is kept of the objects that a pickle would build?"""


class Class:
    """A class or a function that the pickle names."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Made:
    """An object: what it was made of, with which arguments, and its state."""

    __slots__ = ("args", "of", "state")

    def __init__(self, of: object, args: object) -> None:
        self.of, self.args = of, args
        self.state: dict[str, object] = {}

    def is_a(self, names: tuple[str, str]) -> bool:
        return isinstance(self.of, Class) and (self.of.module, self.of.name) == names


class Built:
    """What the opcodes built: the outermost object, the classes in the order in which they were named, and why the walk
    ended before the pickle did."""

    def __init__(self) -> None:
        self.root: object = None
        self.classes: list[Class] = []
        self.has_raw_arrays = False
        self.problem: str | None = None
