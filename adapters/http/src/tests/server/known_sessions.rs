//! What a connection remembers of the session that it opened.

use super::*;

/// Sends requests on one connection, each after the answer to the one before, and gives their status codes.
fn statuses_on_one_connection(server: &Running, requests: &[String]) -> Vec<String> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut one = |request: &String| {
        stream.write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            let line = line.trim_end().to_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].to_owned();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        answers.read_exact(&mut body).unwrap();
        status
    };
    requests.iter().map(&mut one).collect()
}

fn fetch_with(authorization: Option<&str>) -> String {
    let header = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    format!("GET /v1/work HTTP/1.1\r\nHost: x\r\n{header}\r\n")
}

/// What a connection remembers of the session before says nothing of any other header.
#[test]
fn a_header_opens_what_it_opens_whatever_came_before_it_on_the_connection() {
    let server = serve();
    let token = token(NOW.plus(Span::from_secs(60)));
    let good = format!("Bearer {token}");
    let last_digit = if token.ends_with('0') { "1" } else { "0" };
    let other_digit = format!("Bearer {}{last_digit}", &token[..token.len() - 1]);
    let headers = [
        (Some(good.clone()), "200"),
        (Some(format!("bearer  {token} ")), "200"),
        (Some(format!("Bearer {}{token}", " ".repeat(200))), "200"),
        (Some(other_digit), "401"),
        (Some(good[..good.len() - 1].to_owned()), "401"),
        (Some(format!("{good}0")), "401"),
        (Some("Bearer ".to_owned()), "401"),
        (Some("Basic dTpw".to_owned()), "401"),
        (None, "401"),
    ];
    for (before, before_is) in &headers {
        for (after, after_is) in &headers {
            let [first, second] = [before, after].map(|header| fetch_with(header.as_deref()));
            let statuses = statuses_on_one_connection(&server, &[first, second.clone(), second]);
            assert_eq!(
                statuses,
                [*before_is, *after_is, *after_is],
                "{before:?}, {after:?}"
            );
        }
    }
    server.stop();
}

/// A clock that goes on by a second whenever it is asked four times: twice is it asked by a request.
#[derive(Default)]
struct HastyClock {
    asked: AtomicI64,
}

impl Clock for HastyClock {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn date_of(&self, moment: Timestamp) -> Timestamp {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        moment.plus(Span::from_secs(u64::try_from(asked / 4).unwrap()))
    }
}

#[test]
fn a_session_that_a_connection_knows_expires_all_the_same() {
    let server = serve_world(limits(), || {
        let mut world = World::new();
        world.clock = Arc::new(HastyClock::default());
        world
    });
    let good = format!("Bearer {}", token(NOW.plus(Span::from_secs(2))));
    let requests = vec![fetch_with(Some(&good)); 12];
    let statuses = statuses_on_one_connection(&server, &requests);
    let accepted = statuses.iter().take_while(|status| *status == "200").count();
    assert!((1..12).contains(&accepted), "{statuses:?}");
    assert!(
        statuses[accepted..].iter().all(|status| status == "401"),
        "{statuses:?}"
    );
    server.stop();
}
