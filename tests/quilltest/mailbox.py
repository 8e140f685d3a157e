"""Reading what was delivered, as bytes."""
import os


def maildir(path):
    """Contents of the messages in new/ and cur/, oldest name first. Asserts that tmp/ is not read."""
    found = []
    for sub in ("new", "cur"):
        directory = os.path.join(path, sub)
        if os.path.isdir(directory):
            for name in sorted(os.listdir(directory)):
                with open(os.path.join(directory, name), "rb") as f:
                    found.append(f.read())
    return found


def mbox(path):
    """The messages of an mbox file, each from its `From ` line on, with quoting as it is in the file."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as f:
        text = f.read()
    messages = []
    for line in text.splitlines(keepends=True):
        if line.startswith(b"From "):
            messages.append(b"")
        assert messages, f"{path} does not begin with a From line"
        messages[-1] += line
    return messages
