from ftpservice.wire import codes


def test_every_code_is_a_reply_code_and_has_one_name():
    values = [value for name, value in vars(codes).items() if name.isupper()]
    assert len(values) == len(set(values))
    for value in values:
        assert value // 100 in range(1, 6)
        assert value // 10 % 10 in range(6)
