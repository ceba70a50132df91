using System;
using System.Collections.Generic;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>Those of IIS's server variables that mean something here.</content>
    internal abstract partial class RequestContext : IServerVariablesFeature
    {
        private Dictionary<string, string?>? _variablesOfApp;

        string IServerVariablesFeature.this[string variableName]
        {
            get => (_variablesOfApp != null && _variablesOfApp.TryGetValue(variableName, out var value)
                ? value : Variable(variableName))!;
            set => (_variablesOfApp ??= new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase))
                [variableName] = value;
        }

        private string? Variable(string name)
        {
            IHttpRequestFeature request = this;
            return name.ToUpperInvariant() switch
            {
                "APPL_PHYSICAL_PATH" => _service.Settings.PhysicalPath,
                "AUTH_TYPE" => WindowsUser?.Identity?.AuthenticationType,
                "CONTENT_LENGTH" => request.Headers["Content-Length"],
                "CONTENT_TYPE" => request.Headers["Content-Type"],
                "HTTPS" => request.Scheme == "https" ? "on" : "off",
                "HTTP_HOST" => request.Headers["Host"],
                "LOCAL_ADDR" => Connection.LocalAddress?.ToString(),
                "PATH_INFO" => request.PathBase + request.Path,
                "QUERY_STRING" => request.QueryString.TrimStart('?'),
                "REMOTE_ADDR" => Connection.RemoteAddress?.ToString(),
                "REMOTE_PORT" => Connection.RemotePort.ToString(CultureInfo.InvariantCulture),
                "AUTH_USER" => WindowsUser?.Identity?.Name,
                "LOGON_USER" => WindowsUser?.Identity?.Name,
                "REMOTE_USER" => WindowsUser?.Identity?.Name,
                "REQUEST_METHOD" => request.Method,
                "SERVER_PORT" => Connection.LocalPort.ToString(CultureInfo.InvariantCulture),
                "SERVER_PROTOCOL" => request.Protocol,
                "UNENCODED_URL" => request.RawTarget,
                _ => null,
            };
        }
    }
}
