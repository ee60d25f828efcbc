//! What happened with a domain's servers on one day, counted (RFC 8460 §4). Servers choose how many kinds of failure there
//! are, so what is told apart is bounded; what is over is only counted.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;

/// What a domain wanted of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Where it said so.
    pub kind: PolicyKind,
    /// Its words: the policy's lines, or the records' data.
    pub lines: Vec<String>,
    /// The hosts that a policy names.
    pub hosts: Vec<String>,
}

/// Where a domain says what it wants (§4.4, policy-type).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// Nowhere.
    NoPolicyFound,
}

/// What went wrong (§4.3), as reports name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFailure {
    /// The server has no TLS.
    StarttlsNotSupported,
    /// Its certificate, or its own name, is not one that the policy names.
    CertificateHostMismatch,
    /// Its certificate is no longer valid.
    CertificateExpired,
    /// Nobody who is trusted vouches for its certificate.
    CertificateNotTrusted,
    /// Anything else.
    ValidationFailure,
    /// None of its TLSA records can be used.
    TlsaInvalid,
    /// Its TLSA records cannot be had.
    DnssecInvalid,
    /// There is a policy, and it cannot be had.
    StsPolicyFetchError,
    /// There is a policy, and it cannot be read.
    StsPolicyInvalid,
    /// There is a policy, and whoever serves it cannot prove that it may.
    StsWebpkiInvalid,
}

/// One session, or a policy that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// What was wanted.
    pub applied: Applied,
    /// The server, if it came to that.
    pub host: Option<(String, IpAddr)>,
    /// What went wrong, with a reason in words.
    pub outcome: Result<(), (TlsFailure, String)>,
}

/// A day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    policies: Vec<Of>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    applied: Applied,
    successes: u64,
    failures: u64,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Detail {
    failure: TlsFailure,
    host: Option<(String, IpAddr)>,
    reason: String,
    count: u64,
}

/// Told apart at most.
const POLICIES_MAX: usize = 20;
const DETAILS_MAX: usize = 50;
const REASON_LEN_MAX: usize = 200;

impl Tally {
    /// Counts it.
    pub fn add(&mut self, happened: &Happened) {
        let is_new = self.policies.iter().all(|of| of.applied != happened.applied);
        if is_new && self.policies.len() < POLICIES_MAX {
            let applied = happened.applied.clone();
            self.policies.push(Of { applied, successes: 0, failures: 0, details: Vec::new() });
        }
        let of = self.policies.iter_mut().find(|of| of.applied == happened.applied);
        let Some(of) = of else { return };
        match &happened.outcome {
            Ok(()) => of.successes += 1,
            Err((failure, reason)) => {
                of.failures += 1;
                of.detail(*failure, happened.host.as_ref(), reason, 1);
            }
        }
    }

    /// With what was counted elsewhere for the same day.
    pub fn merge(&mut self, other: &Self) {
        for there in &other.policies {
            if let Some(of) = self.policies.iter_mut().find(|of| of.applied == there.applied) {
                of.successes += there.successes;
                of.failures += there.failures;
                for detail in &there.details {
                    of.detail(detail.failure, detail.host.as_ref(), &detail.reason, detail.count);
                }
            } else if self.policies.len() < POLICIES_MAX {
                self.policies.push(there.clone());
            }
        }
    }

    /// The `policies` of a report on this domain (§4.4).
    pub fn policies(&self, domain: &str) -> Value {
        self.policies.iter().map(|of| of.json(domain)).collect()
    }
}

impl Of {
    fn detail(
        &mut self,
        failure: TlsFailure,
        host: Option<&(String, IpAddr)>,
        reason: &str,
        count: u64,
    ) {
        let reason: String = reason.chars().take(REASON_LEN_MAX).collect();
        let is_it = |detail: &&mut Detail| {
            detail.failure == failure && detail.host.as_ref() == host && detail.reason == reason
        };
        if let Some(detail) = self.details.iter_mut().find(is_it) {
            detail.count += count;
        } else if self.details.len() < DETAILS_MAX {
            self.details.push(Detail { failure, host: host.cloned(), reason, count });
        }
    }

    fn json(&self, domain: &str) -> Value {
        let mut policy = json!({ "policy-type": self.applied.kind, "policy-domain": domain });
        if let Some(policy) = policy.as_object_mut() {
            if !self.applied.lines.is_empty() {
                policy.insert("policy-string".into(), json!(self.applied.lines));
            }
            if !self.applied.hosts.is_empty() {
                policy.insert("mx-host".into(), json!(self.applied.hosts));
            }
        }
        let details: Vec<Value> = self.details.iter().map(Detail::json).collect();
        json!({
            "policy": policy,
            "summary": {
                "total-successful-session-count": self.successes,
                "total-failure-session-count": self.failures,
            },
            "failure-details": details,
        })
    }
}

impl Detail {
    fn json(&self) -> Value {
        let mut all = json!({
            "result-type": self.failure,
            "failed-session-count": self.count,
            "failure-reason-code": self.reason,
        });
        if let (Some(all), Some((host, address))) = (all.as_object_mut(), &self.host) {
            all.insert("receiving-mx-hostname".into(), json!(host));
            all.insert("receiving-ip".into(), json!(address));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, DETAILS_MAX, Happened, PolicyKind, Tally, TlsFailure};
    use serde_json::json;

    fn happened(outcome: Result<(), (TlsFailure, String)>) -> Happened {
        let lines = vec!["version: STSv1".to_owned(), "mode: testing".to_owned()];
        let hosts = vec!["*.mail.company-y.example".to_owned()];
        let applied = Applied { kind: PolicyKind::Sts, lines, hosts };
        let host = ("mx1.mail.company-y.example".to_owned(), [203, 0, 113, 56].into());
        Happened { applied, host: Some(host), outcome }
    }

    // As appendix B has it, with smaller numbers.
    #[test]
    fn sessions_are_counted_by_what_went_wrong() {
        let expired = || Err((TlsFailure::CertificateExpired, "expired".to_owned()));
        let mut tally = Tally::default();
        tally.add(&happened(Ok(())));
        tally.add(&happened(expired()));
        let kept = serde_json::to_string(&tally).unwrap();
        let mut tally: Tally = serde_json::from_str(&kept).unwrap();
        let mut later = Tally::default();
        later.add(&happened(expired()));
        later.add(&happened(Err((TlsFailure::StarttlsNotSupported, String::new()))));
        tally.merge(&later);
        let detail = |failure: &str, count: u64, reason: &str| {
            json!({
                "result-type": failure,
                "failed-session-count": count,
                "failure-reason-code": reason,
                "receiving-mx-hostname": "mx1.mail.company-y.example",
                "receiving-ip": "203.0.113.56",
            })
        };
        assert_eq!(
            tally.policies("company-y.example"),
            json!([{
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing"],
                    "policy-domain": "company-y.example",
                    "mx-host": ["*.mail.company-y.example"],
                },
                "summary": {
                    "total-successful-session-count": 1,
                    "total-failure-session-count": 3,
                },
                "failure-details": [
                    detail("certificate-expired", 2, "expired"),
                    detail("starttls-not-supported", 1, ""),
                ],
            }])
        );
    }

    #[test]
    fn servers_cannot_make_it_long() {
        let mut tally = Tally::default();
        for n in 0..1000 {
            let mut one =
                happened(Err((TlsFailure::ValidationFailure, format!("{n}{}", "x".repeat(5000)))));
            tally.add(&one);
            one.applied.lines.push(n.to_string());
            tally.add(&one);
        }
        let all = tally.policies("company-y.example");
        let first = &all[0];
        assert_eq!(first["summary"]["total-failure-session-count"], 1000);
        assert_eq!(first["failure-details"].as_array().unwrap().len(), DETAILS_MAX);
        assert!(serde_json::to_string(&tally).unwrap().len() < 50_000);
    }
}
