// Prints every event of petstream, with kafkajs: npm install kafkajs fzstd
// `node read.js --cloudevents` reads them with CloudEvents' SDK: npm install cloudevents
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const { decompress } = require('fzstd')

// petstream compresses with zstd, which kafkajs doesn't have by itself
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: () => { throw new Error('only reading') },
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
})
const sdk = process.argv.includes('--cloudevents') ? require('cloudevents') : null

function described({ topic, partition, message }) {
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, value.toString()]))
  let type = headers.ce_type
  let subject = headers.ce_subject
  if (sdk) {
    try {
      const event = sdk.Kafka.toEvent({ key: message.key, value: message.value, headers })
      event.validate();
      ({ type, subject } = event)
    } catch (error) {
      return [topic, partition, message.offset, 'failed:', String(error).slice(0, 80)]
    }
  }
  return [topic, partition, message.offset, type, subject, message.value?.length ?? 0]
}

// who we are, as `petstream env` sets it; nothing where Kafka asks nobody
function login() {
  const env = process.env
  if (!env.PETSTREAM_KAFKA_SASL_USERNAME) return {}
  return {
    ssl: env.PETSTREAM_KAFKA_SECURITY_PROTOCOL === 'SASL_SSL',
    sasl: {
      mechanism: env.PETSTREAM_KAFKA_SASL_MECHANISM.toLowerCase(),
      username: env.PETSTREAM_KAFKA_SASL_USERNAME,
      password: env.PETSTREAM_KAFKA_SASL_PASSWORD,
    },
  }
}

async function main() {
  const kafka = new Kafka({
    brokers: [process.env.PETSTREAM_KAFKA || 'localhost:9092'],
    ...login(),
    logLevel: logLevel.ERROR,
  })
  const consumer = kafka.consumer({
    groupId: process.env.GROUP || 'first-look-kafkajs',
    maxBytesPerPartition: 8 << 20,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [/^petstream\..*\.v1$/], fromBeginning: true })
  let last = Date.now()
  await consumer.run({
    autoCommit: false,
    eachMessage: async (record) => {
      last = Date.now()
      console.log(described(record).join('\t'))
    },
  })
  // 8 seconds without a record end it; a service would go on for ever
  while (Date.now() - last < 8000) await new Promise((wake) => setTimeout(wake, 200))
  await consumer.disconnect()
}

main()
