using System;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;
using Ancm.Hosting.Server;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Features of newer frameworks than the oldest that is served: their interfaces do not exist where this is built. Minimal
    /// APIs read no body without the first; WebSockets over HTTP/2 need the second.
    /// </summary>
    internal static class NewerFeatures
    {
        private static readonly Type? _bodyDetection = Find("IHttpRequestBodyDetectionFeature");
        private static readonly Type? _extendedConnect = Find("IHttpExtendedConnectFeature");

        private static readonly Lazy<Type> _bodyDetectionClass =
            new Lazy<Type>(() => NewerTypes.Implement(_bodyDetection!, typeof(BodyDetection)));

        private static readonly Lazy<Type> _extendedConnectClass =
            new Lazy<Type>(() => NewerTypes.Implement(_extendedConnect!, typeof(ExtendedConnect)));

        /// <summary>Those that the framework at hand has.</summary>
        public static IEnumerable<Type> Types
        {
            get
            {
                foreach (var type in new[] { _bodyDetection, _extendedConnect })
                {
                    if (type != null)
                    {
                        yield return type;
                    }
                }
            }
        }

        /// <summary>Once for each context.</summary>
        public static void SetBodyDetection(RequestContext context, Func<bool> canHaveBody)
        {
            if (_bodyDetection != null)
            {
                var feature = (BodyDetection)Activator.CreateInstance(_bodyDetectionClass.Value)!;
                feature.Answer = canHaveBody;
                context[_bodyDetection] = feature;
            }
        }

        /// <summary>For a request that is one.</summary>
        public static void SetExtendedConnect(RequestContext context, Func<ValueTask<Stream>> accept)
        {
            if (_extendedConnect != null)
            {
                var feature = (ExtendedConnect)Activator.CreateInstance(_extendedConnectClass.Value)!;
                feature.Accept = accept;
                context[_extendedConnect] = feature;
            }
        }

        private static Type? Find(string name) =>
            Type.GetType($"Microsoft.AspNetCore.Http.Features.{name}, Microsoft.AspNetCore.Http.Features");
    }
}
