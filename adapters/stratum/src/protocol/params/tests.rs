use super::*;
use proptest::prelude::*;

const JOB: &str = "00000001207fffffaabbccddeeff";

fn submitted(extranonce2: &str, time: &str, nonce: &str) -> Result<(Vec<u8>, u32, u32), Fault> {
    let params = format!("[\"u.w\",\"{JOB}\",\"{extranonce2}\",\"{time}\",\"{nonce}\"]");
    submit(&params, 4).map(|s| (s.extranonce2.as_bytes().to_vec(), s.time, s.nonce))
}

#[test]
fn the_case_of_hex_digits_and_leading_zeros_make_no_other_share() {
    let share = submitted("0000abcd", "65abcdef", "0000beef").unwrap();
    assert_eq!(submitted("0000ABCD", "65ABCDEF", "0000BeEf").unwrap(), share);
    assert_eq!(submitted("0000abcd", "65abcdef", "beef").unwrap(), share);
}

#[test]
fn numbers_of_another_size_and_junk_are_refused() {
    for nonce in [
        "",
        "123456789",
        "0000beefx",
        "0x00beef",
        " 000beef",
        "+000beef",
        "-1",
        "beef ",
    ] {
        assert_eq!(
            submitted("00000000", "65abcdef", nonce),
            Err(Fault::Other("Incorrect size of nonce")),
            "{nonce:?}"
        );
    }
    for extranonce2 in ["", "00", "0000000", "000000000", "0000000000", "0000000g"] {
        assert_eq!(
            submitted(extranonce2, "65abcdef", "00000000"),
            Err(Fault::Other("Incorrect size of extranonce2")),
            "{extranonce2:?}"
        );
    }
    assert_eq!(
        submitted("00000000", "65abcdef00", "00000000"),
        Err(Fault::Other("Incorrect size of ntime"))
    );
}

#[test]
fn version_bits_may_be_missing_or_null_and_more_params_are_no_matter() {
    let with = |more: &str| {
        let params = format!("[\"u\",\"{JOB}\",\"00000000\",\"65abcdef\",\"00000000\"{more}]");
        submit(&params, 4).map(|s| s.version_bits)
    };
    assert_eq!(with(""), Ok(None));
    assert_eq!(with(",null"), Ok(None));
    assert_eq!(with(",\"1fffe000\""), Ok(Some(0x1fff_e000)));
    assert_eq!(with(",\"1fffe000\",\"more\",{\"a\":[1]}"), Ok(Some(0x1fff_e000)));
    assert_eq!(
        with(",\"1fffe0000\""),
        Err(Fault::Other("Incorrect size of version bits"))
    );
}

#[test]
fn too_few_params_and_other_forms_are_refused() {
    for params in [
        "[]",
        "[\"u\",\"j\",\"00000000\",\"65abcdef\"]",
        "{}",
        "null",
        "7",
        "[",
        "\"x\"",
    ] {
        assert_eq!(submit(params, 4), Err(Fault::Other("Invalid params")), "{params}");
    }
    let params = "[\"u\",7,\"00000000\",\"65abcdef\",\"00000000\"]";
    assert_eq!(submit(params, 4).unwrap().job, None);
}

#[test]
fn logins_are_texts_of_bounded_length() {
    assert_eq!(authorize("[\"a.b\",\"x\"]").unwrap(), ["a.b", "x"]);
    assert_eq!(authorize("[\"a.b\"]").unwrap(), ["a.b", ""]);
    assert_eq!(authorize("[\"a.b\",null]").unwrap(), ["a.b", ""]);
    assert_eq!(authorize("[\"a\\u002eb\",1]").unwrap(), ["a.b", ""]);
    let long = format!("[\"{}\",\"x\"]", "a".repeat(TEXT_LEN_MAX + 1));
    assert!(matches!(authorize(&long), Err(Fault::Unauthorized(_))));
}

#[test]
fn suggestions_are_numbers_above_zero_also_in_quotes() {
    assert_eq!(suggest_difficulty("[0.0001]"), Ok(0.0001));
    assert_eq!(suggest_difficulty("[\"1024\"]"), Ok(1024.0));
    for bad in ["[]", "[0]", "[-1]", "[null]", "[\"inf\"]", "[\"NaN\"]", "[[1]]"] {
        assert!(suggest_difficulty(bad).is_err(), "{bad}");
    }
    assert!(suggest_target(&format!("[\"{}\"]", "0".repeat(64))).is_err());
    assert!(suggest_target(&format!("[\"{}ff\"]", "0".repeat(62))).is_ok());
}

#[test]
fn extensions_are_read_with_their_options() {
    let params = r#"[["version-rolling","minimum-difficulty","subscribe-extranonce","info","x"],
        {"version-rolling.mask":"1FFFE000","version-rolling.min-bit-count":2,"minimum-difficulty.value":2048}]"#;
    assert_eq!(
        configure(params).unwrap(),
        [
            Extension::VersionRolling(0x1fff_e000),
            Extension::MinimumDifficulty(Some(2048.0)),
            Extension::SubscribeExtranonce,
            Extension::Info,
            Extension::Unknown("x".to_owned()),
        ]
    );
    assert_eq!(
        configure("[[\"version-rolling\"]]").unwrap(),
        [Extension::VersionRolling(u32::MAX)]
    );
    for bad in ["[]", "[{}]", "[[1]]", "{}"] {
        assert!(configure(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_params_make_any_method_panic(params in ".{0,200}") {
        let _ = (subscribe(&params), authorize(&params), submit(&params, 8), configure(&params));
        let _ = (suggest_difficulty(&params), suggest_target(&params));
    }
}

proptest! {
    #[test]
    fn plain_lists_mean_the_same_to_general_json(list in "\\[?( ?\"[ -~]{0,9}\"){0,1}(, ?(\"[^\"]{0,9}\"|7|null) ?){0,7}\\]?") {
        prop_assert_eq!(texts::<6>(&list), general_texts::<6>(&list), "{}", list);
    }
}
