//! Runs rules over DNS: what a rule lacks is asked for, all of it at the same time, and the rule runs again.

use super::resolver::Resolver;
use crate::dns::{Answer, Answers, Failure, Found, Need};
use smol::future;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

/// So often a rule may find that it lacks more. SPF, the deepest of them, gets along with ten (RFC 7208 §4.6.4).
const ROUNDS_MAX: usize = 32;
/// After so long nothing more is asked for one rule.
const DECISION_WAIT: Duration = Duration::from_secs(30);

impl Resolver {
    /// Asks for what is missing, all at the same time, and enters the answers.
    pub async fn fill(&self, known: &mut Answers, need: Need) {
        let mut under_way: Vec<_> = (need.questions())
            .map(|question| (question.clone(), Box::pin(self.ask(question.clone()))))
            .collect();
        poll_fn(|context| {
            under_way.retain_mut(|(question, asking)| match asking.as_mut().poll(context) {
                Poll::Ready(answer) => {
                    known.insert(question.clone(), answer);
                    false
                }
                Poll::Pending => true,
            });
            if under_way.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Runs a rule until it knows what it must. A rule that has lacked more for too often or too long is told that nobody
    /// knows the rest; it must come to an end by that.
    pub async fn decide<V>(&self, rule: impl Fn(&Answers) -> Result<V, Need>) -> V {
        let (mut known, until) = (Answers::default(), Instant::now() + DECISION_WAIT);
        let mut round = 0;
        loop {
            let need = match rule(&known) {
                Ok(verdict) => return verdict,
                Err(need) => need,
            };
            round += 1;
            if round <= ROUNDS_MAX && Instant::now() < until {
                self.fill(&mut known, need).await;
                continue;
            }
            for question in need.questions() {
                let found = Found::Failed(Failure::Timeout);
                known.insert(question.clone(), Answer { found, authentic: false });
            }
            future::yield_now().await;
        }
    }
}
