package main

import (
	"bytes"
	"context"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

var versions = spec.WithPrefix("ce_")

// kafkaMessage is a record as CloudEvents' SDK wants to be given one (Kafka binding, binary mode).
type kafkaMessage struct {
	value   []byte
	headers map[string]string
}

func (message kafkaMessage) version() spec.Version {
	return versions.Version(message.headers["ce_specversion"])
}

func (message kafkaMessage) ReadEncoding() binding.Encoding {
	if message.version() == nil {
		return binding.EncodingUnknown
	}
	return binding.EncodingBinary
}

func (message kafkaMessage) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (message kafkaMessage) ReadBinary(_ context.Context, writer binding.BinaryWriter) error {
	version := message.version()
	for name, value := range message.headers {
		var err error
		if name == "content-type" {
			err = writer.SetAttribute(version.AttributeFromKind(spec.DataContentType), value)
		} else if attribute := version.Attribute(name); attribute != nil {
			err = writer.SetAttribute(attribute, value)
		} else if strings.HasPrefix(name, "ce_") {
			err = writer.SetExtension(strings.TrimPrefix(name, "ce_"), value)
		}
		if err != nil {
			return err
		}
	}
	return writer.SetData(bytes.NewReader(message.value))
}

func (message kafkaMessage) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := message.version().AttributeFromKind(kind)
	name := attribute.PrefixedName()
	if kind == spec.DataContentType {
		name = "content-type"
	}
	if value, there := message.headers[name]; there {
		return attribute, value
	}
	return attribute, nil
}

func (message kafkaMessage) GetExtension(name string) any {
	if value, there := message.headers["ce_"+name]; there {
		return value
	}
	return nil
}

func (message kafkaMessage) Finish(error) error { return nil }

func cloudEvent(record *kgo.Record) (*event.Event, error) {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	return binding.ToEvent(context.Background(), kafkaMessage{record.Value, headers})
}
