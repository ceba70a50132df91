using System;
using System.Collections;
using System.Collections.Generic;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>The collection of features.</content>
    internal abstract partial class RequestContext : IFeatureCollection
    {
        private readonly object?[] _features;
        private readonly object?[] _ownFeatures;
        private List<KeyValuePair<Type, object>>? _others;
        private int _revision;

        public bool IsReadOnly => false;

        public int Revision => _revision;

        public object? this[Type key]
        {
            get
            {
                var index = FeatureSlots.IndexOf(key);
                return index >= 0 ? _features[index] : Other(key);
            }
            set
            {
                _revision++;
                var index = FeatureSlots.IndexOf(key);
                if (index >= 0)
                {
                    _features[index] = value;
                }
                else
                {
                    SetOther(key, value);
                }
            }
        }

        public TFeature Get<TFeature>()
        {
            var index = FeatureSlot<TFeature>.Index;
            return (TFeature)(index >= 0 ? _features[index] : Other(typeof(TFeature)))!;
        }

        public void Set<TFeature>(TFeature instance)
        {
            _revision++;
            var index = FeatureSlot<TFeature>.Index;
            if (index >= 0)
            {
                _features[index] = instance;
            }
            else
            {
                SetOther(typeof(TFeature), instance);
            }
        }

        public IEnumerator<KeyValuePair<Type, object>> GetEnumerator()
        {
            for (var index = 0; index < _features.Length; index++)
            {
                if (_features[index] is object feature)
                {
                    yield return new KeyValuePair<Type, object>(FeatureSlots.Types[index], feature);
                }
            }
            if (_others != null)
            {
                foreach (var other in _others)
                {
                    yield return other;
                }
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        /// <summary>What every request has, put down once.</summary>
        private void SetOwnFeatures()
        {
            NewerFeatures.SetBodyDetection(this, () => !_input.HasEnded || _input.HasBegun);
            Array.Copy(_features, _ownFeatures, _features.Length);
            for (var index = 0; index < FeatureSlots.IndexOf(typeof(IHttpUpgradeFeature)); index++)
            {
                _ownFeatures[index] = this;
            }
            if (_service.Settings.WebSockets)
            {
                _ownFeatures[FeatureSlots.IndexOf(typeof(IHttpUpgradeFeature))] = this;
            }
        }

        private void ResetFeatures()
        {
            _ownFeatures.AsSpan().CopyTo(_features);
            _others?.Clear();
            _revision++;
        }

        private object? Other(Type key)
        {
            if (_others != null)
            {
                foreach (var other in _others)
                {
                    if (other.Key == key)
                    {
                        return other.Value;
                    }
                }
            }
            return null;
        }

        private void SetOther(Type key, object? value)
        {
            _others ??= new List<KeyValuePair<Type, object>>();
            _others.RemoveAll(other => other.Key == key);
            if (value != null)
            {
                _others.Add(new KeyValuePair<Type, object>(key, value));
            }
        }
    }
}
