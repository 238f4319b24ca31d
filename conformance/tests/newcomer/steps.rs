//! The steps of a subsection of the README: its blocks of commands, each with the block of output under it, if there is one.

/// Commands, and what they print.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// The line of the README the block begins at.
    pub(crate) line: usize,
    /// What is typed.
    pub(crate) commands: String,
    /// What comes back; empty: nothing.
    pub(crate) output: String,
}

/// The steps of the subsection `title` in `text`: blocks marked `sh` are typed, blocks without a mark are what they print.
pub(crate) fn steps(text: &str, title: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let heading = format!("### {title}");
    let mut lines = text.lines().zip(1..).skip_while(|(line, _)| *line != heading).skip(1);
    while let Some((line, number)) = lines.next() {
        // Only outside of blocks, where a line of a shell may begin like that.
        if line.starts_with("## ") || line.starts_with("### ") {
            break;
        }
        let Some(mark) = line.strip_prefix("```") else { continue };
        let block = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```");
        let block: String = block.map(|line| format!("{line}\n")).collect();
        match (mark, steps.last_mut()) {
            ("sh", _) => steps.push(Step { line: number, commands: block, output: String::new() }),
            ("", Some(step)) if step.output.is_empty() => step.output = block,
            _ => panic!("README.md:{number}: a block that is neither commands nor their output"),
        }
    }
    assert!(!steps.is_empty(), "README.md has no steps under {heading}");
    steps
}

#[test]
fn commands_and_output_are_told_apart_and_what_is_around_is_left() {
    let text = "### Before\n```sh\nno\n```\n### It\ntext\n```sh\n# one\necho 1\n```\n\n```\n1\n```\n```sh\ntrue\n```\n## After\n```sh\nno\n```\n";
    let step =
        |line, commands: &str, output: &str| Step { line, commands: commands.into(), output: output.into() };
    assert_eq!(steps(text, "It"), [step(7, "# one\necho 1\n", "1\n"), step(15, "true\n", "")]);
}
