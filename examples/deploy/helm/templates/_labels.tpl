{{- define "tuskit.labels" -}}
app.kubernetes.io/name: tuskit
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
