//! A step done again and again, each time a little differently.

use std::time::Duration;

use mock_lsws::scenario::{Expect, Generate, Sending, Step, Time, Variant};

use super::case::Case;
use super::steps::mistake;
use crate::event::Problem;

/// Time between the two writes of a variant when the step does not say: long enough for a reader that waits to see the
/// first alone, short enough for hundreds of them.
const GAP: Time = Time(Duration::from_millis(1));

impl Case<'_> {
    /// Does every variant of `step`; the first that goes wrong is named, with what repeats it alone.
    pub(super) async fn generate(
        &mut self,
        step: &Step,
        rule: &Generate,
        sending: &Sending,
        expect: &Expect,
    ) -> Result<(), Vec<Problem>> {
        let bytes = self.bytes_of(sending)?;
        let gap = sending.pace.gap.unwrap_or(GAP);
        let variants = rule.variants(bytes.len(), Some(gap)).map_err(|error| vec![mistake(&error)])?;
        let of = variants.len();
        for (index, variant) in variants.into_iter().enumerate() {
            let since = self.stage.transcript.elapsed();
            let done = match rule {
                Generate::Cut(_) | Generate::Drip(_) => {
                    match self.send_bytes(&step.on, &bytes, &variant.pace).await {
                        Ok(()) => self.expect(&step.on, expect).await,
                        Err(problems) => Err(problems),
                    }
                }
                Generate::BitFlips { .. } => self.broken_exchange(&step.on, &bytes, &variant, expect).await,
            };
            if let Err(mut problems) = done {
                let which =
                    format!("{} of {of}; the step alone with `{}` repeats it", index + 1, variant.alone);
                problems.push(Problem::plain("variant", which));
                return Err(problems);
            }
            // The one that fails has to be found in the transcript.
            if let Some(peer) = self.peers.get(&step.on) {
                self.stage.transcript.forget(peer.connection.number(), since);
            }
        }
        if matches!(rule, Generate::BitFlips { .. }) {
            self.peers.remove(&step.on);
        }
        self.stage.transcript.note(format!("{of} variants of the step in line {} went well", step.line));
        Ok(())
    }

    /// Sends damaged bytes on a connection of their own, and nothing behind them: what the application still waits for
    /// will not come. It has to survive that.
    async fn broken_exchange(
        &mut self,
        on: &str,
        bytes: &[u8],
        variant: &Variant,
        expect: &Expect,
    ) -> Result<(), Vec<Problem>> {
        let mut bytes = bytes.to_vec();
        for damage in &variant.damage {
            damage.apply(&mut bytes).map_err(|error| vec![mistake(&error)])?;
        }
        // The one before, closed only now so that its part of the transcript could go.
        self.peers.remove(on);
        self.connect(on).await?;
        // An application may close before it has everything; what it has said until then shows in the outcome.
        let _ = self.send_bytes(on, &bytes, &variant.pace).await;
        if let Some(peer) = self.peers.get_mut(on) {
            let _ = peer.connection.half_close();
        }
        self.expect(on, expect).await?;
        self.still_runs().await
    }
}
