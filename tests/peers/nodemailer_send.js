// Sends the message on standard input: node nodemailer_send.js PORT ENVELOPE
"use strict";

const { readFileSync } = require("fs");
const nodemailer = require("nodemailer");

const [port, envelope] = process.argv.slice(2);
const transport = nodemailer.createTransport({
	host: "127.0.0.1",
	port: Number(port),
	secure: false,
	ignoreTLS: true,
});

transport
	.sendMail({ envelope: JSON.parse(envelope), raw: readFileSync(0) })
	.catch((error) => {
		console.error(error);
		process.exitCode = 1;
	});
