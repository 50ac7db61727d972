use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::*;

/// Two ends, each with its key; what came of shaking hands.
async fn shaken(keys: [u8; 2]) -> [Result<(Reading, Writing), LinkError>; 2] {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let to = listener.local_addr().unwrap();
    let dialed = async {
        let stream = TcpStream::connect(to).await.unwrap();
        let key = LinkKey::new([keys[0]; 32]);
        let (welcome, reading, writing) = dial::<_, u32>(stream, &key, &"hello").await?;
        assert_eq!(welcome, 7);
        Ok((reading, writing))
    };
    let accepted = async {
        let (stream, _) = listener.accept().await.unwrap();
        let key = LinkKey::new([keys[1]; 32]);
        let answer = |hello: String| {
            assert_eq!(hello, "hello");
            (7_u32, ())
        };
        let ((), reading, writing) = accept(stream, &key, answer).await?;
        Ok((reading, writing))
    };
    let (dialed, accepted) = tokio::join!(dialed, accepted);
    [dialed, accepted]
}

#[actix::test]
async fn words_of_every_length_arrive_in_order_both_ways() {
    let [dialed, accepted] = shaken([1, 1]).await;
    let (mut here, mut there) = (dialed.unwrap(), accepted.unwrap());
    let lengths = [0, 1, PIECE_MAX - 4, PIECE_MAX, PIECE_MAX + 1, 3 * PIECE_MAX + 5];
    for turn in 0..2 {
        let words: Vec<Vec<u8>> = lengths.iter().map(|length| vec![turn + 1; *length]).collect();
        let said = async {
            for word in &words {
                here.1.add(&postcard::to_stdvec(word).unwrap()).unwrap();
                here.1.send().await.unwrap();
            }
        };
        let heard = async {
            for word in &words {
                let heard: Vec<u8> = there.0.next().await.unwrap();
                assert!(heard == *word, "a word of {} bytes", word.len());
            }
        };
        tokio::join!(said, heard);
        std::mem::swap(&mut here, &mut there);
    }
}

#[actix::test]
async fn nobody_with_another_key_gets_through() {
    let [dialed, accepted] = shaken([1, 2]).await;
    // Whoever accepts knows it by the first word, and hangs up.
    assert!(matches!(accepted.map(|_| ()), Err(LinkError::Foreign(_))));
    assert!(matches!(dialed.map(|_| ()), Err(LinkError::Io(_))));
}

#[actix::test]
async fn what_was_changed_on_its_way_is_not_read() {
    let [dialed, accepted] = shaken([1, 1]).await;
    let ((_reading, mut writing), (mut there, _)) = (dialed.unwrap(), accepted.unwrap());
    writing.add(&postcard::to_stdvec("a share").unwrap()).unwrap();
    let last = writing.frames.len() - 1;
    writing.frames[last] ^= 1;
    writing.send().await.unwrap();
    assert!(matches!(there.next::<String>().await, Err(LinkError::Foreign(_))));
}

#[actix::test]
async fn a_word_that_was_said_before_is_not_read_again() {
    let [dialed, accepted] = shaken([1, 1]).await;
    let ((_reading, mut writing), (mut there, _)) = (dialed.unwrap(), accepted.unwrap());
    writing.add(&postcard::to_stdvec("once").unwrap()).unwrap();
    let once = writing.frames.clone();
    writing.frames.extend_from_slice(&once);
    writing.send().await.unwrap();
    assert_eq!(there.next::<String>().await.unwrap(), "once");
    assert!(matches!(there.next::<String>().await, Err(LinkError::Foreign(_))));
}

#[actix::test]
async fn words_that_are_too_long_are_not_said() {
    let [dialed, _accepted] = shaken([1, 1]).await;
    let (_, mut writing) = dialed.unwrap();
    assert!(matches!(
        writing.add(&vec![0; WORD_MAX + 1]),
        Err(LinkError::TooLong)
    ));
}
