using System;
using System.Text;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Startup
{
    /// <summary>What native says about the app's place.</summary>
    internal sealed class Settings
    {
        private static readonly Lazy<Settings> _current = new Lazy<Settings>(() => new Settings(Native.Settings));

        private Settings(in NativeSettings native)
        {
            PathBase = Text(native.PathBase).TrimEnd('/');
            PhysicalPath = Text(native.PhysicalPath);
            Addresses = Text(native.Addresses).Split(';', StringSplitOptions.RemoveEmptyEntries);
            ForwardsUser = Array.Exists(
                Text(native.Authentication).Split(';'),
                kind => kind.Equals("windows", StringComparison.OrdinalIgnoreCase) ||
                    kind.Equals("basic", StringComparison.OrdinalIgnoreCase));
            MaxRequestBody = native.MaxRequestBody < 0 ? (long?)null : native.MaxRequestBody;
            WebSockets = native.WebSockets != 0;
        }

        public static Settings Current => _current.Value;

        /// <summary><c>/shop</c>, or empty.</summary>
        public string PathBase { get; }

        public string PhysicalPath { get; }

        public string[] Addresses { get; }

        /// <summary>ANCM: whether the front authenticates anybody, by Windows or Basic authentication.</summary>
        public bool ForwardsUser { get; }

        /// <summary>In bytes; null for no limit.</summary>
        public long? MaxRequestBody { get; }

        public bool WebSockets { get; }

        private static string Text(Slice slice) => Encoding.UTF8.GetString(slice.Span);
    }
}
