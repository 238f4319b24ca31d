<?php // Role late-header: sends the line "begun", tries to add the header X-Late, answers "refused" or "taken".
header('Content-Type: text/plain');
echo "begun\n";
flush();
// The warning about it is not what this role is about.
@header('X-Late: 1');
echo in_array('X-Late: 1', headers_list(), true) ? "taken\n" : "refused\n";
