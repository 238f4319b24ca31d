<?php // Role environ: the variables of the request, a line NAME=value each, sorted by name; odd bytes as %XX.
function escaped(string $text): string
{
    return preg_replace_callback('/[^\x20-\x24\x26-\x7E]/', fn ($byte) => sprintf('%%%02X', ord($byte[0])), $text);
}

$lines = [];
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        $lines[] = escaped($name) . '=' . escaped($value) . "\n";
    }
}
sort($lines, SORT_STRING);
$body = implode($lines);
header('Content-Type: text/plain');
header('Content-Length: ' . strlen($body));
echo $body;
